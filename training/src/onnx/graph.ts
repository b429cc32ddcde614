/**
 * An ONNX graph that grows node by node. A value is known by the name of the node output, input or constant it is;
 * operators are called by their ONNX names.
 */
import { type AttributeProto, type NodeProto, type TensorProto, tensorProto, type Values } from "./protobuf.ts";

/** Of onnx.ai's machine learning operators, beside the default domain. */
export const ML_DOMAIN = "ai.onnx.ml";
const ML_OPERATORS: ReadonlySet<string> = new Set(["LabelEncoder", "TreeEnsemble"]);

export class Graph {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #names: Set<string>;
  #counter = 0;
  readonly #scalars = new Map<string, string>();

  /** @param names Those of inputs and outputs: nothing within gets one of them by chance. */
  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
  }

  /**
   * One node of one output.
   *
   * @param output The name of its value; a new one without it.
   */
  add(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeProto>> = {},
    output: string = this.newName(operator),
  ): string {
    this.nodes.push({
      op_type: operator,
      domain: ML_OPERATORS.has(operator) ? ML_DOMAIN : "",
      input: inputs,
      output: [output],
      attribute: Object.entries(attributes).map(([name, attribute]) => ({ name, ...attribute })),
    });
    return output;
  }

  /** A tensor that is part of the model. */
  constant(values: Values, dims: readonly number[] = [values.length]): string {
    const name = this.newName("constant");
    this.initializers.push(tensorProto(name, values, dims));
    return name;
  }

  /** A double, in the graph once however often it is asked for. */
  scalar(value: number): string {
    const key = Object.is(value, -0) ? "-0" : String(value);
    let name = this.#scalars.get(key);
    if (name === undefined) {
      name = this.constant(Float64Array.of(value), []);
      this.#scalars.set(key, name);
    }
    return name;
  }

  /** A name that nothing has. */
  newName(prefix: string): string {
    let name = prefix;
    while (this.#names.has(name)) name = `${prefix}_${++this.#counter}`;
    this.#names.add(name);
    return name;
  }
}
