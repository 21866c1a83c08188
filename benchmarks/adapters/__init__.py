"""The engines as a worker uses them: each module has an ``Adapter`` with the methods of ``adapters.base``."""
