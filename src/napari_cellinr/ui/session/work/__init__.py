"""What the actions of a viewer do: each makes the work that the controller carries out."""
