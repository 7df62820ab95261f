"""ONNX to `.tflite`, run by the Python of an environment of its own: `tflite_convert.py IN.onnx OUT.tflite fp32`.

onnx2tf pins packages of other versions than the course, so nothing of the course is imported here.

Sources: https://github.com/PINTO0309/onnx2tf, https://github.com/google-ai-edge/ai-edge-quantizer.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path


def convert(source: str, target: str, precision: str) -> None:
    """Write a network of one image a run, channels last; its weights as "fp32", "fp16" or "int8"."""
    import onnx2tf

    with tempfile.TemporaryDirectory() as folder:
        onnx2tf.convert(
            input_onnx_file_path=source,
            output_folder_path=folder,
            tflite_backend="flatbuffer_direct",  # needs no TensorFlow
            batch_size=1,
            non_verbose=True,
        )
        (written,) = Path(folder).glob("*_float32.tflite")
        if precision == "fp32":
            shutil.copyfile(written, target)
        else:
            quantize(str(written), target, precision)


def quantize(source: str, target: str, precision: str) -> None:
    """Write a float32 `.tflite` with smaller weights; onnx2tf's own smaller files are wrong.

    "int8" rounds weights for each channel ahead, and activations as they come; "fp16" is computed in float32.
    """
    from ai_edge_quantizer import qtyping, quantizer, recipe

    made = quantizer.Quantizer(source)
    if precision == "int8":
        made.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    else:
        weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        config = qtyping.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        )
        everything = qtyping.TFLOperationName.ALL_SUPPORTED
        made.update_quantization_recipe(".*", everything, config, algorithm_key="float_casting")
    made.quantize().export_model(target, overwrite=True)


if __name__ == "__main__":
    convert(*sys.argv[1:])
