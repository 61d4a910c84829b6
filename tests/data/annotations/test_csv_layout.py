"""Where a CSV holds the places of figures, by the field's names of columns."""

from __future__ import annotations

import pytest

from midog.data.annotations.csv_layout import layout_of, why_no_layout


@pytest.mark.parametrize(
    ("header", "kind", "columns"),
    [
        ("file_name,x,y", "points", "x y"),
        ("slide,coordinateX,coordinateY", "points", "coordinateX coordinateY"),
        ("image,X_px,Y_px", "points", "X_px Y_px"),
        ("file,row,col", "points", "col row"),
        ("file,cx,cy", "points", "cx cy"),
        ("image,Centroid X px,Centroid Y px", "points", "Centroid X px|Centroid Y px"),
        ("file,xmin,ymin,xmax,ymax", "corners", "xmin ymin xmax ymax"),
        ("file,width,height,xmin,ymin,xmax,ymax", "corners", "xmin ymin xmax ymax"),
        ("file,x1,y1,x2,y2", "corners", "x1 y1 x2 y2"),
        ("file,x,y,x1,y1,x2,y2", "corners", "x1 y1 x2 y2"),
        ("file,x0,y0,x1,y1", "corners", "x0 y0 x1 y1"),
        ("file,left,top,right,bottom", "corners", "left top right bottom"),
        ("file,x,y,width,height", "sized", "x y width height"),
        ("file,left,top,width,height", "sized", "left top width height"),
        ("file,bbox_x,bbox_y,bbox_w,bbox_h", "sized", "bbox_x bbox_y bbox_w bbox_h"),
        ("file,x_center,y_center,width,height", "centred", "x_center y_center width height"),
        ("file,cx,cy,w,h", "centred", "cx cy w h"),
    ],
)
def test_the_layout_of_a_header(header: str, kind: str, columns: str) -> None:
    found = layout_of(header.split(","))
    assert found is not None
    layout, by_name = found
    assert layout.kind == kind
    assert list(by_name.values()) == columns.split("|" if "|" in columns else " ")


@pytest.mark.parametrize("header", ["", "file_name,scanner,patient,split", "file,x", "x1,y1,x2"])
def test_a_header_without_places(header: str) -> None:
    assert layout_of(header.split(",")) is None


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("Image,Centroid X µm,Centroid Y µm", "'Centroid X µm' is not in px"),
        ("file,x_mm,y_mm", "'x_mm' is not in px"),
        ("file,bbox,label", "'bbox' holds several numbers in one cell"),
        ("120,100", "it has no header"),
        ("a.tiff,120,100,mitosis", "it has no header"),
        ("name,kind", ""),
    ],
)
def test_why_a_header_has_no_places(header: str, why: str) -> None:
    assert layout_of(header.split(",")) is None
    assert why in why_no_layout(header.split(","))
