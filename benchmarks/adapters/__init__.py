"""The engines as a worker sees them: each module holds an ``Adapter``, all with the methods of ``adapters.base``."""
