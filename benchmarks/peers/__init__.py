"""Other tools that make labels of annotated slices, beside which the panel sets the engines.

They are installed apart, since they ask for what ivos does without:

    python -m venv VENV && VENV/bin/pip install -r benchmarks/peers/requirements.txt
    python -m benchmarks.panel PLACE... --peer biomedisa=VENV/bin/python --peer itk=VENV/bin/python --protocol every:10

Each is a program ``fill_by_NAME.py`` that runs there, without ivos: it reads ``TASK`` (an .npz file of ``scan`` and
``annotated``, both (Z, Y, X), the latter 0 but on annotated slices, and ``full``, the numbers of the fully annotated
ones) and writes the labels (Z, Y, X) to ``RESULT``, an .npy file.
"""
