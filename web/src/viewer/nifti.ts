/** A NIfTI-1 file in memory of labels (Z, Y, X) in canonical orientation: enough for NiiVue to render them. */
export function labelsAsNifti(
  data: Uint8Array, [depth, height, width]: readonly [number, number, number], [z, y, x]: readonly [number, number, number],
): ArrayBuffer {
  const buffer = new ArrayBuffer(352 + data.length);
  const view = new DataView(buffer);
  const int16 = (at: number, ...values: number[]): void => values.forEach((v, n) => view.setInt16(at + 2 * n, v, true));
  const float32 = (at: number, ...values: number[]): void => values.forEach((v, n) => view.setFloat32(at + 4 * n, v, true));
  view.setInt32(0, 348, true);
  int16(40, 3, width, height, depth, 1, 1, 1, 1);
  int16(70, 2, 8); // uint8
  float32(76, 1, x, y, z, 1, 1, 1, 1);
  float32(108, 352, 1, 0);
  int16(252, 0, 1); // the rows below say where voxels lie: canonical is left, posterior, superior; NIfTI's x and y are not
  float32(280, -x, 0, 0, x * (width / 2), 0, -y, 0, y * (height / 2), 0, 0, z, -z * (depth / 2));
  new Uint8Array(buffer, 344, 4).set([0x6e, 0x2b, 0x31, 0]); // "n+1"
  new Uint8Array(buffer, 352).set(data);
  return buffer;
}
