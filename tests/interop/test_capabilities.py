"""The table of capabilities and what the drivers say of themselves are the same."""

from interop import capabilities


def test_driver_says_what_the_table_says(driver, client):
    said = driver.call("hello")
    assert client.name in (said["name"], f"{said['name']}-{said['version']}")
    assert said["version"] == client.version
    assert sorted(said["codecs"]) == sorted(client.codecs)
    assert sorted(said["assignors"]) == sorted(client.assignors)
    assert set(said["ops"]) == capabilities.OPERATIONS - client.lacks


def test_operations_it_lacks_are_refused(driver, client):
    for op in sorted(client.lacks):
        assert driver_refuses(driver, op), op


def driver_refuses(driver, op):
    from interop.driver import DriverError

    try:
        driver.call(op)
    except DriverError as error:
        return error.code == 0 and error.text == "no such operation"
    return False
