"""Settings: the schema, how YAML files and overrides become one, and the configs that ship."""
