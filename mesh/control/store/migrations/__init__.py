"""How a database becomes what `schema` says, step by step; run by Alembic when a store opens.

To change the schema: change `schema.py`, add a module to `versions` with the next number and the
last one as its `down_revision`, and never change one that was released.
`tests/control/store/test_migrations.py` compares the two.
"""
