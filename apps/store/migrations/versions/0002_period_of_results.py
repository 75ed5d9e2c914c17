"""Results say of which year a company's statements are."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    period = sa.Column("period", sa.String(length=40), nullable=True, comment="year or day of a company's statements")
    op.add_column("results", period)
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.alter_column("models", "kind", comment="credit, company, inspection", existing_comment="credit, inspection")
