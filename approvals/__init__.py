"""May it happen: the gate, its policies, requests that wait for people, and their decisions."""
