"""How we learn and decide. Pure: frames in, frames and figures out."""
