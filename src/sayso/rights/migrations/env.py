"""Runs migrations on the connection that is handed over, within its transaction."""

from alembic import context

from sayso.rights.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
