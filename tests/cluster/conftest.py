import pytest

from .nodes import Cluster


def pytest_generate_tests(metafunc):
    """`make_cluster`: Samsa; with --peer apache or both Apache Kafka (three JVMs take their time)."""
    if "make_cluster" in metafunc.fixturenames:
        peer = metafunc.config.getoption("--peer")
        kinds = {"apache": ["apache"], "both": ["apache", "samsa"]}.get(peer, ["samsa"])
        if metafunc.definition.get_closest_marker("samsa_only"):
            kinds = [kind for kind in kinds if kind == "samsa"]
        metafunc.parametrize("make_cluster", kinds, indirect=True)


@pytest.fixture
def make_cluster(request):
    made = []

    def make(roles=("broker,controller",) * 3, start=True, **more):
        name = request.node.name.split("[")[0].removeprefix("test_")
        one = Cluster(request.param, f"{name}-{len(made)}", roles, **more)
        made.append(one)
        return one.create() if start else one

    make.kind = request.param
    yield make
    for one in made:
        one.destroy()
