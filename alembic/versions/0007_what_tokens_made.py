"""Tokens and sign-in links say with which token they were made, to be revoked with it.

Of those that exist it is not known: they stand alone, as they did.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("made_with", sa.String(), nullable=True))
    op.create_index("ix_tokens_made_with", "tokens", ["made_with"])
    op.add_column("sign_in_links", sa.Column("token_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("sign_in_links", "token_id")
    op.drop_index("ix_tokens_made_with", "tokens")
    op.drop_column("tokens", "made_with")
