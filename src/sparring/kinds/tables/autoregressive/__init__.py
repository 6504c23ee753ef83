"""The generator of tables that is learned by likelihood, a column after another."""
