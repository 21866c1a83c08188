"""The operators that a bundle's graph may hold: those that compute from what is there.

A list of what is allowed, because a list of what is forbidden is never complete: control flow, text, sequences,
decoders, references to files, and operators that make a tensor of any size out of a few numbers (``ConstantOfShape``,
``Range``, ``Tile``, ``RandomNormal``) are not in it, and neither is what a newer onnxruntime will add. Of ONNX 1.23 and
onnxruntime 1.32; the exporters here write about thirty of them.
"""

__all__ = ["OPERATORS"]

_OF_EACH_NUMBER = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil
    Celu Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN
    LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Shrink
    Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum SwiGLU Swish Tan Tanh ThresholdedRelu Where Xor
"""
_OF_MANY_NUMBERS = """
    ArgMax ArgMin Attention AveragePool BatchNormalization Conv ConvInteger ConvTranspose CumSum DeformConv Dropout
    Einsum Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool GridSample GroupNormalization Hardmax InstanceNormalization
    LRN LayerNormalization LogSoftmax LpNormalization LpPool MatMul MatMulInteger MaxPool MeanVarianceNormalization
    QLinearConv QLinearMatMul RMSNormalization ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare RotaryEmbedding Softmax TopK
"""
_OF_PLACES = """
    Concat Constant DepthToSpace Expand Flatten Gather GatherElements GatherND Identity Pad Reshape Resize Shape Size
    Slice SpaceToDepth Split Squeeze Transpose Trilu Unsqueeze
"""
_OF_8_BITS = "DequantizeLinear DynamicQuantizeLinear QuantizeLinear"
#: com.microsoft's: what onnxruntime's quantization and fusions write.
_OF_ONNXRUNTIME = """
    BiasAdd BiasGelu BiasSoftmax BiasSplitGelu DynamicQuantizeMatMul FastGelu FusedConv FusedGemm FusedMatMul
    FusedMatMulActivation GemmFastGelu GroupNorm MatMulBnb4 MatMulInteger16 MatMulIntegerToFloat MatMulNBits
    MultiHeadAttention NhwcConv NhwcFusedConv NhwcMaxPool PackedAttention QAttention QGemm QLinearAdd
    QLinearAveragePool QLinearConcat QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean
    QLinearSigmoid QLinearSoftmax QLinearWhere QuickGelu SimplifiedLayerNormalization SkipGroupNorm
    SkipLayerNormalization SkipSimplifiedLayerNormalization
"""

OPERATORS = frozenset(
    f"{_OF_EACH_NUMBER} {_OF_MANY_NUMBERS} {_OF_PLACES} {_OF_8_BITS} {_OF_ONNXRUNTIME}".split()
)
