//! `proofload serve` from the outside: the real program, over real sockets.

mod attacks;
mod bodies;
mod kill;
mod life;
mod server;
mod way;
