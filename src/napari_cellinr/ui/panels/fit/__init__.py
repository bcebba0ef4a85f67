"""What is done with an existing fit: the buttons for it, and the form to render it again."""
