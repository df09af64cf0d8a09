from rally_magnum_scale.task import clients


def test_the_address_of_a_cloud_has_no_password():
    credential = {
        "auth_url": "https://me:secret@cloud:5000/v3/",
        "region_name": "one",
    }
    assert clients.address(credential) == "https://***cloud:5000/v3 (one)"
