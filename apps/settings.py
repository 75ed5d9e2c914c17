"""The only reader of the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting of the programs; each is read from ASSAY_<NAME>, then from a `.env` file in the working folder."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(default=Path("var"), description="folder of the database, models, objects and the broker")
    database_url: SecretStr | None = Field(default=None, description="SQLAlchemy URL; default: SQLite in the home")
    broker_url: SecretStr | None = Field(default=None, description="Celery broker; default: files in the home")
    cache_url: SecretStr | None = Field(default=None, description="Redis for caches; default: in-process")
    store_url: str | None = Field(default=None, description="object store; default: a folder in the home")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where models run")
    threads: int = Field(default=0, ge=0, description="threads of a model session; 0 = all cores of the process")


def load_settings() -> Settings:
    """Read the environment now; nothing is read at import."""
    return Settings()
