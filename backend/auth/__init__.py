"""Who is asking, and what they may do: users, roles, tokens, sessions, sign-in links."""
