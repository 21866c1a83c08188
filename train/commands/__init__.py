"""The commands of brain-data, and those of brain-train that do not train."""
