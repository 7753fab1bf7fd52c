"""`kubectl dynamo`: commands (one file each, loaded when typed) and views (pure: data -> text)."""
