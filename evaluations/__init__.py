"""How well agents do: suites of scenarios, played through the engine without its tools, and what came of them."""
