"""An index to tell which services there are without reading all accounts."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add it."""
    op.create_index("accounts_by_service", "accounts", ["service"])


def downgrade() -> None:
    """Take it away again."""
    op.drop_index("accounts_by_service", "accounts")
