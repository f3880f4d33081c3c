from indigo_kernel.db.migrate import run_env
from indigo_qos_gateway.adapters.db.tables import metadata

run_env(metadata)
