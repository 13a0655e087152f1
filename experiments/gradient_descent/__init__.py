"""Plain gradient descent: where it works, where it zig-zags, where it stands still."""
