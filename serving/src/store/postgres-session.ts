/**
 * One connection to PostgreSQL, by Postgres.js, and one transaction at a time. The connection is made by the first
 * transaction, and given up, for the next one to make anew, when anything but a statement's own fault happens to it:
 * it closed, or the server has not answered for a while.
 *
 * Transactions are not the driver's (`sql.begin`): when a connection closes within one, the driver (3.4.9) writes its
 * ROLLBACK to a socket that is gone, which nobody can catch. Statements are not prepared and settings hold for one
 * transaction, so a pooler (PgBouncer) may stand between.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ChurnError } from "@churn/contract";
import postgres from "postgres";

const CONNECT_LIMIT_MS = 5_000;
/** How long a statement may take on the server, in ms; it says so itself a little before it is given up here. */
const STATEMENT_LIMIT_MS = 9_000;
const ANSWER_LIMIT_MS = 10_000;
/** Connections in a row that close before they have answered anything. */
const MAX_ATTEMPTS = 3;

const BEGIN = "BEGIN";
/** Compiling a statement takes longer than any of these. */
const SETTINGS = `SET LOCAL statement_timeout = ${STATEMENT_LIMIT_MS}; SET LOCAL jit = off`;

export type Parameter = string | number | null;

/** Runs a statement of the transaction, and gives its rows. */
export type Run = <T extends object>(statement: string, ...parameters: readonly Parameter[]) => Promise<T[]>;

export const failed = (message: string): ChurnError =>
  new ChurnError("CHURN_ERR_STORE_FAILED", `prediction store: ${message}`);

export class PostgresSession {
  readonly #url: string;
  #connection: Connection | undefined;
  /** The last of the transactions that were asked for. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(url: string) {
    this.#url = url;
  }

  /** @throws CHURN_ERR_STORE_FAILED, or what `work` throws; then nothing of it has been written. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => this.#transaction(work));
    this.#last = turn.catch(() => {}); // its caller hears of it; the next one starts all the same
    return turn;
  }

  async #transaction<T>(work: (run: Run) => Promise<T>): Promise<T> {
    this.#connection ??= new Connection(this.#url);
    const connection = this.#connection;
    try {
      await connection.run(BEGIN);
      const result = await this.#rollBackOnFault(connection, work);
      await connection.run("COMMIT");
      return result;
    } catch (error) {
      if (!connection.isUsableAfter(error)) {
        connection.drop();
        this.#connection = undefined;
      }
      throw error instanceof ChurnError ? error : serverFault(error as Error);
    }
  }

  async #rollBackOnFault<T>(connection: Connection, work: (run: Run) => Promise<T>): Promise<T> {
    try {
      await connection.run(SETTINGS);
      return await work(connection.run);
    } catch (error) {
      if (connection.isUsableAfter(error)) await connection.run("ROLLBACK");
      throw error;
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#last;
    await this.#connection?.end();
  }
}

/** What the driver asks for a socket with. */
interface Address {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path: string | false;
}

/** The driver, confined to one connection that is never used again once it has failed. */
class Connection {
  readonly #sql: postgres.Sql;
  #socket: Socket | undefined;
  #attempts = 0;
  #isDropped = false;

  constructor(url: string) {
    this.#sql = postgres(url, {
      max: 1,
      connect_timeout: CONNECT_LIMIT_MS / 1000,
      backoff: () => 0, // whoever calls decides when to try again
      prepare: false,
      fetch_types: false, // no arrays of a database's own types
      types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
      onnotice: () => {},
      connection: { application_name: "churn" },
      // Made here, so that it can be ended at once: the driver would wait for the server to agree.
      socket: (address: Address) => this.#openSocket(address),
    } as object);
  }

  readonly run: Run = async (statement, ...parameters) => {
    // BEGIN may go to a new connection; nothing after it may: it would stand alone there.
    const isLost = this.#isDropped || (statement !== BEGIN && this.#socket?.closed !== false);
    if (isLost) throw failed("the connection was lost");
    const silence = Promise.withResolvers<never>();
    const watchdog = setTimeout(() => {
      this.drop();
      silence.reject(failed(`the server has not answered for ${ANSWER_LIMIT_MS / 1000} s`));
    }, ANSWER_LIMIT_MS);
    try {
      const rows = await Promise.race([this.#sql.unsafe(statement, [...parameters]), silence.promise]);
      this.#attempts = 0;
      return [...rows] as never[];
    } finally {
      clearTimeout(watchdog);
    }
  };

  /** Whether the server itself answered, and goes on listening. */
  isUsableAfter(error: unknown): boolean {
    if (this.#isDropped || this.#socket?.closed !== false) return false;
    if (error instanceof postgres.PostgresError) return error.severity === "ERROR";
    return error instanceof ChurnError; // of what the caller found in an answer
  }

  drop(): void {
    this.#isDropped = true;
    this.#socket?.destroy();
    this.#sql.end({ timeout: 0 }).catch(() => {}); // it is past helping
  }

  async end(): Promise<void> {
    await this.#sql.end({ timeout: CONNECT_LIMIT_MS / 1000 });
    this.drop();
  }

  /** @throws When a proxy with nothing behind it takes connections and closes them; the driver would go on for ever. */
  async #openSocket({ host, port, path }: Address): Promise<Socket> {
    if (++this.#attempts > MAX_ATTEMPTS) throw failed("the server closes each connection before it answers");
    let fault: unknown;
    for (const [i, name] of host.entries()) {
      const socket = path ? connect(path) : connect(port[i], name);
      this.#socket = socket;
      try {
        await once(socket, "connect", { signal: AbortSignal.timeout(CONNECT_LIMIT_MS) });
        return Object.assign(socket, { host: name, port: port[i] }); // the name that TLS compares with the certificate
      } catch (error) {
        fault = error;
        socket.destroy();
      }
    }
    throw fault;
  }
}

/** The server's error itself goes no further: its details quote what customers sent. */
function serverFault(error: Error & { readonly code?: string }): ChurnError {
  return failed(error.code === undefined ? error.message : `${error.message} (${error.code})`);
}
