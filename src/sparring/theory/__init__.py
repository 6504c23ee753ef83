"""What the theory of GANs says, as pure functions; `sparring.statements` checks it."""
