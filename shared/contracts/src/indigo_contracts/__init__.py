"""Every schema that crosses a border of the INDIGO Data Life Cycle suite: events, commands, problem types."""
