"""The RDA DMP Common Standard for machine-actionable plans (maDMP): schema, reading, writing."""
