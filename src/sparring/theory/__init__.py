"""What the theory of GANs says, as pure functions; `sparring.theory.statements` checks it."""
