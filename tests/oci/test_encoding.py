import json

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_index, image_manifest
from oci.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST

CONFIG = Descriptor(OCI_CONFIG, Digest.of(b"{}"), 2)
LAYER = Descriptor(OCI_LAYER_GZIP, Digest.of(b"layer"), 5)


def test_manifests_have_the_specs_order_and_no_space_between() -> None:
    """Their digest depends on it: the same image is the same manifest in every release."""
    config, layer = json.dumps(CONFIG.to_json()), json.dumps(LAYER.to_json())
    head = '{"schemaVersion":2,"mediaType":"%s","artifactType":"a/b",'
    tail = f',"subject":{layer},"annotations":{{"é":"1"}}}}'
    image = head % OCI_MANIFEST + f'"config":{config},"layers":[{layer},{layer}]' + tail
    index = head % OCI_INDEX + f'"manifests":[{layer}]' + tail

    made = (
        image_manifest(
            CONFIG, [LAYER, LAYER], subject=LAYER, artifact_type="a/b", annotations={"é": "1"}
        ),
        image_index([LAYER], subject=LAYER, artifact_type="a/b", annotations={"é": "1"}),
    )

    assert made == (image.replace(" ", "").encode(), index.replace(" ", "").encode())
