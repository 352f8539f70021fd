/**
 * What NVIDIA's reference computes with the real weights of nvidia/personaplex-7b-v1, for `model verify`. The figures
 * were published by the authors of onnxruntime/mobius (MIT; testdata/golden/audio/moshi-lm-personaplex.json and
 * mimi-personaplex.json), made with the PyTorch reference in float32 on a CPU; they are rounded here to 1e-6.
 */

/** Tolerance they were published with: the language model's and the codec's. */
export const LM_TOLERANCE = 0.0002;
export const MIMI_TOLERANCE = 0.0001;

/** Four columns from the empty state: rows are the 17 streams, text first. */
export const COLUMNS: readonly (readonly number[])[] = [
  [24549, 19739, 6938, 8636],
  [524, 570, 192, 543],
  [535, 566, 1525, 694],
  [1105, 1624, 1175, 762],
  [1612, 1196, 1253, 1989],
  [1301, 1580, 804, 214],
  [1669, 1133, 1293, 1313],
  [181, 1615, 1811, 1401],
  [1219, 397, 670, 662],
  [1435, 228, 125, 1347],
  [945, 2022, 1632, 1060],
  [34, 462, 1414, 484],
  [664, 205, 473, 161],
  [407, 176, 973, 231],
  [322, 53, 832, 350],
  [276, 1911, 478, 1938],
  [585, 607, 973, 1817],
];
/** Most likely text token after each column, and its logit. */
export const TEXT_ARGMAX: readonly number[] = [5383, 5383, 5556, 5556];
export const TEXT_MAX: readonly number[] = [4.750545, 4.732275, 4.665728, 4.654963];
/** The hidden state after the last column (behind out_norm): its first and its last 32 values. */
export const HIDDEN_HEAD: readonly number[] = [
  2.722996, 2.665505, 1.922038, 1.466602, -0.892884, 0.871799, -2.030579, -0.669468, 0.878749, 1.815899,
  1.544826, -0.242624, -1.671295, 2.895828, 0.09444, -1.387084, -2.064323, 1.925197, 0.192385, 1.59313,
  0.673483, 0.731103, 0.61468, -0.671826, 0.522293, -2.458006, -1.012851, 1.048746, -0.057321, 0.602169,
  -0.329063, 1.369585,
];
export const HIDDEN_TAIL: readonly number[] = [
  3.69581, -0.319576, -0.819476, -0.968586, 1.900165, 2.213998, 1.673246, -0.640124, -1.058599, -1.203451,
  -2.00809, -0.540262, -0.134743, -0.040076, 0.881268, 0.096929, -1.940603, 0.562394, -2.758656, -1.377746,
  -0.152542, 0.857104, -0.441852, -0.478829, -2.608701, -0.114206, -1.219251, 1.658723, 2.529112, 0.56967,
  0.032459, -0.832828,
];
/**
 * The depth transformer on that hidden state, each step told the token before it: the text token, then codes. Steps 8 to
 * 15 are not run.
 */
export const DEPTH_TOLD: readonly number[] = [28847, 1220, 537, 502, 1603, 211, 919, 1639];
export const DEPTH_ARGMAX: readonly number[] = [290, 1415, 297, 505, 1282, 1155, 1873, 854];

/** Codes of the waveform that `codecInput` makes: 8 codebooks of 8 frames. */
export const CODES: readonly (readonly number[])[] = [
  [1027, 626, 626, 626, 626, 1247, 1247, 1247],
  [685, 1476, 685, 685, 1476, 685, 1476, 108],
  [1891, 1684, 334, 97, 1684, 1853, 1858, 1319],
  [1337, 1371, 1045, 111, 737, 1045, 1208, 640],
  [1921, 2035, 1244, 923, 316, 600, 745, 1915],
  [1905, 927, 85, 760, 1444, 1905, 1444, 2021],
  [1054, 1458, 208, 116, 601, 4, 1458, 1678],
  [1143, 1557, 795, 1386, 1386, 1143, 1886, 1793],
];
/** Those codes decoded: the first and the last 32 samples of 15360. */
export const DECODED_HEAD: readonly number[] = [
  0.006013, -0.004591, -0.035175, -0.046506, -0.050537, -0.052897, -0.048978, -0.043943, -0.034342, -0.025252,
  0.000019, 0.030461, 0.059113, 0.082181, 0.100663, 0.130668, 0.158731, 0.188057, 0.213922, 0.237774,
  0.267043, 0.288043, 0.297465, 0.296489, 0.308301, 0.331597, 0.366949, 0.363345, 0.346906, 0.359261,
  0.342425, 0.322332,
];
export const DECODED_TAIL: readonly number[] = [
  0.03171, 0.017508, 0.022592, 0.000126, -0.029059, -0.046847, -0.088318, -0.121377, -0.145481, -0.204259,
  -0.234367, -0.251663, -0.27526, -0.280555, -0.306926, -0.296497, -0.302394, -0.290522, -0.275897, -0.273035,
  -0.264779, -0.274746, -0.260676, -0.271672, -0.277327, -0.302124, -0.320455, -0.328765, -0.355972,
  -0.374232, -0.391507, -0.407725,
];
