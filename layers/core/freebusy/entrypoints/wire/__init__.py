"""The shapes of requests and answers, as the wire contract has them."""
