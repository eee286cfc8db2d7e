"""The REST interface of MONAI Label, so that its plug-ins (3D Slicer, OHIF) work with scans that are open here.

Images are the scans of the work list, labels are those of their sessions: what a plug-in does is seen on the page, and
the other way round. The interface: https://github.com/Project-MONAI/MONAILabel (plugins/slicer, monailabel/endpoints).
"""
