"""What a tool reads of a schema: Django's inspectdb, or SQLAlchemy's inspector.

    introspect.py inspectdb|sqlalchemy DSN
"""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")
tool, dsn = sys.argv[1:]
os.environ["DATABASE_URL"] = dsn

import django

django.setup()

from django.core.management import call_command
from sqlalchemy import MetaData, create_engine, inspect
from sqlalchemy.schema import CreateTable

if tool == "inspectdb":
    call_command("inspectdb", include_partitions=True, include_views=True)
    sys.exit()

engine = create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
inspector = inspect(engine)
for table in sorted(inspector.get_table_names()):
    print(table, inspector.get_table_comment(table))
    for what in [
        inspector.get_columns,
        inspector.get_indexes,
        inspector.get_unique_constraints,
        inspector.get_check_constraints,
        inspector.get_foreign_keys,
    ]:
        for found in what(table):
            print(" ", what.__name__, sorted((key, str(value)) for key, value in found.items()))
    print("  get_pk_constraint", inspector.get_pk_constraint(table))
metadata = MetaData()
metadata.reflect(engine)
for table in metadata.sorted_tables:
    print(CreateTable(table).compile(engine))
