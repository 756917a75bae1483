import io
import json

import numpy as np
from PIL import Image

from tests.contracts.samples import put

KNOBS = {"at_most": 1}


def png(ids):
    """A PNG whose pixels are these ids."""
    values = np.array(ids)
    pixels = np.stack((values & 255, values >> 8 & 255, values >> 16), axis=2).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def document():
    pictures = [(7, "a.jpg"), (8, "b.jpg"), (9, "../outside/secret.jpg"), (10, "link.jpg")]
    segment = {"id": 300, "category_id": 1, "area": 4, "bbox": [0, 0, 2, 2], "iscrowd": 0}
    return {
        "images": [{"id": number, "file_name": name, "width": 4, "height": 2} for number, name in pictures],
        "categories": [
            {"id": 1, "name": "dog", "supercategory": "animal", "isthing": 1},
            {"id": 90, "name": "grass", "isthing": 0, "color": [1, 2, 3]},
        ],
        "annotations": [
            {
                "image_id": 7,
                "file_name": "a.png",
                "segments_info": [segment, {"id": 70000, "category_id": 90, "area": 3, "extra": 1.50}, {"id": 5}],
            },
            {"image_id": 8, "file_name": "gone.png", "segments_info": [segment]},
            {"image_id": 9, "file_name": "a.png", "segments_info": [segment]},
            {"image_id": 99, "file_name": "a.png", "segments_info": [segment]},
        ],
    }


def make(root):
    for name in ("a.jpg", "b.jpg"):
        put(root / "images" / name)
    put(root / "annotations/panoptic_train.json", json.dumps(document()))
    put(root / "annotations/panoptic_train/a.png", png([[300, 300, 70000, 70000], [300, 300, 70000, 9]]))
    return root / "images"
