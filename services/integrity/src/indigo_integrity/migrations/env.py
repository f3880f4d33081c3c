from indigo_integrity.adapters.db.tables import metadata
from indigo_kernel.db.migrate import run_env

run_env(metadata)
