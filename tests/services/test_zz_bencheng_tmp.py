import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
def test_lost(world, ports):
    _, order = world.order()
    assert world.hear(world.paid_news(order)) is True
    with ports.begin() as s: s.execute(text("select 1"))
    eng=ports.sessions.kw["bind"]
    with eng.connect() as c, eng.connect() as c2:
        me=c.execute(text("select pg_backend_pid()")).scalar()
        c2.execute(text("select 1"))
    with eng.connect() as c:
        me=c.execute(text("select pg_backend_pid()")).scalar()
        c.execute(text("select pg_terminate_backend(pid) from pg_stat_activity where datname=current_database() and pid<>:m"),{"m":me}); c.commit()
        with pytest.raises(DBAPIError) as e:
            world.hear(world.paid_news(order, notice="N9"))
        assert e.value.connection_invalidated and "N9" not in str(e.value), str(e.value)
    print(str(e.value))
    assert world.hear(world.paid_news(order, notice="N9")) is True
    with pytest.raises(DBAPIError) as e:
        world.hear(world.paid_news(order, notice="N\0"))
    assert not e.value.connection_invalidated
    world.settle()
    with pytest.raises(RuntimeError), ports.begin():
        world.hear(world.paid_news(order, notice="N10"))
