"""Second moments of any kind travel as `moments`; until now there was one kind, `gram`."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _renamed("gram", "moments")


def downgrade() -> None:
    _renamed("moments", "gram")


def _renamed(old: str, new: str) -> None:
    op.execute(
        sa.text("UPDATE exchanges SET purpose = :new WHERE purpose = :old").bindparams(old=old, new=new)
    )
    replaced = sa.text(
        "UPDATE steps SET extras = CAST(REPLACE(CAST(extras AS TEXT), :old, :new) AS JSON) WHERE extras IS NOT NULL"
        if op.get_bind().dialect.name == "postgresql"
        else "UPDATE steps SET extras = REPLACE(extras, :old, :new) WHERE extras IS NOT NULL"
    )
    op.execute(replaced.bindparams(old=f'"{old}"', new=f'"{new}"'))
