"""Names that read the same never stand side by side, whoever writes them."""

import string

import pytest
from sqlalchemy import select, text

from periplus_contract.names import letters, shape
from periplus_hub.access.scope import Scope, insert_owned
from periplus_hub.fleet import tables
from periplus_hub.fleet.service import change_domain, create_domain, delete_domain
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Conflict, Invalid
from periplus_hub.kit.ids import new_id

UUID = "0192d7a0-1111-7222-8333-444455556666"


async def test_the_database_folds_names_as_the_contract_does(db: Database, tenant: Scope) -> None:
    every = string.ascii_letters + string.digits + "._-:/@+() "
    async with db.write(tenant) as c:
        await c.execute(insert_owned(tenant, tables.network_domains, {"id": new_id(), "name": every}))
        folded = text("lower(name) AS letters, translate(replace(name, 'm', 'rn'), '01I', 'Oll') AS shape")
        row = await c.one_or_none(select(folded).select_from(tables.network_domains))
    assert row is not None
    assert (row.letters, row.shape) == (letters(every), shape(every))
    for index in tables.network_domains.indexes:
        if index.name == "uq_network_domains_live_shape":
            assert "translate(replace(name, 'm', 'rn'), '01I', 'Oll')" in str(index.expressions[1])


@pytest.mark.promise("names-cannot-deceive")
@pytest.mark.parametrize("name", ["VPC-1", "vpc-l", "vpc-I", "vpc-1"])
async def test_a_domain_that_reads_like_another_is_refused(db: Database, tenant: Scope, name: str) -> None:
    async with db.write(tenant) as c:
        first = await create_domain(c, tenant, "vpc-1")
    with pytest.raises(Conflict, match="vpc-1"):
        async with db.write(tenant) as c:
            await create_domain(c, tenant, name)
    async with db.write(tenant) as c:
        other = await create_domain(c, tenant, "lab")
    with pytest.raises(Conflict, match="vpc-1"):
        async with db.write(tenant) as c:
            await change_domain(c, tenant, other.id, name=name)
    async with db.write(tenant) as c:
        await delete_domain(c, tenant, first.id, now=db.clock.now())
        assert (await create_domain(c, tenant, name)).name == name


@pytest.mark.promise("names-cannot-deceive")
@pytest.mark.parametrize("name", [f"NetworkDomain:{UUID}", UUID, "ppj_0123456789ab", "v\u0440c", "a\u202eb", " a", ""])
async def test_a_domain_cannot_be_called_so(db: Database, tenant: Scope, name: str) -> None:
    with pytest.raises(Invalid):
        async with db.write(tenant) as c:
            await create_domain(c, tenant, name)


async def test_a_domain_in_other_letters_may_be_described_and_renamed_to_them(db: Database, tenant: Scope) -> None:
    async with db.write(tenant) as c:
        domain = await create_domain(c, tenant, "vpc")
        assert (await change_domain(c, tenant, domain.id, name="VPC")).name == "VPC"
