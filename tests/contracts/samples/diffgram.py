import json

from tests.contracts.samples import put


def make(root):
    box = {"type": "box", "label_file_id": 12, "x_min": 1, "y_min": 2, "x_max": 10, "y_max": 20}
    box["attribute_groups"] = {"5": {"id": 41, "name": "red"}}
    ring = {"type": "polygon", "label_file_id": 13, "points": [{"x": 1, "y": 2}, {"x": 5, "y": 2}, {"x": 5, "y": 9.50}]}
    names = {"901": "a.jpg", "902": "nowhere.jpg", "903": "../outside/secret.jpg", "904": "link.jpg", "905": "a.jpg"}
    document = {
        "readme": {},
        "label_map": {"13": "cat", "12": "dog"},
        "label_colour_map": {"12": {"hex": "#194d33"}},
        "export_info": {"export_format_version": "1.0"},
        "attribute_groups_reference": [{"id": 5, "kind": "select", "name": "Color"}],
    }
    for identity, name in names.items():
        file = {"id": int(identity), "original_filename": name, "ann_is_complete": True, "type": "image"}
        instances = [box, ring, {"type": "geo_box", "label_file_id": 12}, {"type": "point", "points": []}]
        document[identity] = {"file": file, "image": {"width": 64, "height": 48}, "instance_list": instances}
    put(root / "export.json", json.dumps(document))
    put(root / "images/a.jpg")
    return root / "images"
