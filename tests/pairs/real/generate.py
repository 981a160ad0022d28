"""Runs prisma-client-py's generator without Prisma's command line: ``generate.py SCHEMA < what describe.cjs said``."""

# mypy: ignore-errors

import json
import sys
from pathlib import Path

from prisma import config
from prisma._compat import model_parse
from prisma.generator import Generator
from prisma.generator.generator import BASE_PACKAGE_DIR
from prisma.generator.models import PythonData

schema = Path(sys.argv[1])
said = json.load(sys.stdin)
generator = said["config"]["generators"][0]
generator["output"] = {"value": str(BASE_PACKAGE_DIR), "fromEnvVar": None}
generator["binaryTargets"] = generator["binaryTargets"][:1]
asked = {
    "datamodel": schema.read_text(),
    "version": config.expected_engine_version,
    "generator": generator,
    "dmmf": said["dmmf"],
    "schemaPath": str(schema),
    "datasources": said["config"]["datasources"],
    "otherGenerators": [],
    "binaryPaths": {"queryEngine": {"native": "/given-by-the-environment"}},
}
Generator().generate(model_parse(PythonData, asked))
