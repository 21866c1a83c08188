"""What PyInstaller cannot see: data files, modules that are imported by name, and the installed versions."""  # noqa: N999 -- PyInstaller asks for this name

from importlib.metadata import packages_distributions

from PyInstaller.utils.hooks import (  # type: ignore[import-untyped]  # there only while it freezes
    collect_data_files,
    collect_submodules,
    copy_metadata,
)

# The shipped bundle, and the files of the page that brain-serve shows.
datas = collect_data_files("edge_infer")

# edge_infer imports its own names lazily and onnxruntime by name (edge_infer/runtime.py).
hiddenimports = [
    *collect_submodules("edge_infer", filter=lambda name: "_pyinstaller" not in name),
    "onnxruntime",
]

# edge_infer/runtime.py tells from the metadata which onnxruntime there is.
for _distribution in {*packages_distributions().get("onnxruntime", ()), "brain-edge"}:
    datas += copy_metadata(_distribution)
