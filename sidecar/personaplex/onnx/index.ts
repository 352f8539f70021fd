/** A small ONNX graph builder: operators as functions, shapes checked while building, weights streamed to disk. */
export { GraphBuilder, type Value } from './graph';
export * as ops from './ops';
export * as contrib from './contrib';
export { BYTES_PER_ELEMENT, elementCount, type DataType, type Dim, type Shape } from './shape';
export { ProtobufWriter } from './protobuf';
export { modelBytes, weightBytes, writeModel } from './model-file';
