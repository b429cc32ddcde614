/** The prediction store in a real PostgreSQL: the suite of every store, and what only a server can do to it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { SCHEMA_VERSION } from "../contract/src/index.ts";
import { openStore } from "../serving/src/store/prediction-store.ts";
import { outcome, prediction, testStore } from "../serving/test/store-conformance.ts";
import { isPostgresMissing, type PostgresServer, postgresSkip, startPostgres } from "./postgres-server.ts";

/** A call on a server that does not answer must have ended by then. */
const GIVE_UP_MS = 15_000;
const FAILED = { code: "CHURN_ERR_STORE_FAILED" } as const;

// The tests do not run when it is missing.
const server = (isPostgresMissing ? undefined : await startPostgres()) as PostgresServer;
after(() => server?.remove());

let count = 0;
const newDatabase = (): string => server.createDatabase(`store_${count++}`);
const openMigrated = async (url: string) => {
  const store = await openStore(url);
  await store.migrate();
  return store;
};

testStore("PostgreSQL", newDatabase, postgresSkip);

const serverTest = (claim: string, run: () => Promise<void>) => test(claim, { skip: postgresSkip }, run);

serverTest("a PostgreSQL store of a later version is refused in one sentence", async () => {
  const url = newDatabase();
  const store = await openMigrated(url);
  server.query(url, `INSERT INTO migrations VALUES (${SCHEMA_VERSION + 1}, 'of tomorrow', 0)`);

  await assert.rejects(store.migrate(), {
    code: "CHURN_ERR_STORE_VERSION",
    message: new RegExp(`expected schema version ${SCHEMA_VERSION} or earlier, got ${SCHEMA_VERSION + 1}`),
  });
  await store.close();
});

serverTest("a role that may not make tables works on a store that is migrated", async () => {
  const url = newDatabase();
  await (await openMigrated(url)).close();
  const role = `writer_${count}`;
  server.query(
    url,
    `CREATE ROLE ${role} LOGIN PASSWORD 'w'; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`,
  );
  const own = Object.assign(new URL(url), { username: role, password: "w" });

  const store = await openMigrated(own.href);
  await store.append([prediction(1), outcome("member-1", 1)]);

  assert.equal((await store.recent(9)).length, 1);
  await store.close();
});

serverTest("a database that cannot hold every text is refused", async () => {
  const store = await openStore(server.createDatabase("latin", "--encoding=LATIN1", "--template=template0"));

  await assert.rejects(store.migrate(), { ...FAILED, message: /expected a database encoded in UTF8, got LATIN1/ });
  await store.close();
});

serverTest("a wrong password rejects, and is not in the message", async () => {
  const store = await openStore(Object.assign(new URL(server.url), { password: "wrong-one" }).href);

  await assert.rejects(store.migrate(), (error: Error) => {
    assert.match(error.message, /^prediction store: password authentication failed for user/);
    assert(!JSON.stringify([error.message, error.stack, error.cause, error]).includes("wrong-one"));
    return true;
  });
  await store.close();
});

serverTest("what the server says of a record does not quote the record", async () => {
  const store = await openMigrated(newDatabase());
  const broken = prediction(1, { score: "very likely" as unknown as number, features: { plan: "of a customer" } });

  await assert.rejects(store.append([broken]), (error: Error) => {
    assert(!JSON.stringify([error.message, error.stack, error.cause, error]).includes("of a customer"));
    return true;
  });
  await store.close();
});

serverTest("a server that restarts, or is killed, is used again by the same store, and nothing is lost", async () => {
  const store = await openMigrated(newDatabase());
  await store.append([prediction(1)]);

  await server.stop();
  await assert.rejects(store.append([prediction(2)]), FAILED);
  await assert.rejects(store.recent(9), FAILED);
  await server.restart();
  await store.append([prediction(2)]);

  await server.kill();
  await assert.rejects(store.append([prediction(3)]), FAILED);
  await server.restart();
  await store.append([prediction(3)]);

  assert.deepEqual(
    (await store.recent(9)).map(({ predictedAt }) => predictedAt),
    [3, 2, 1].map((id) => prediction(id).predictedAt),
  );
  await store.close();
});

serverTest(
  "a server killed in the middle of a call leaves all of it or nothing, and the call can be repeated",
  async () => {
    const records = Array.from({ length: 10_000 }, (_, id) => prediction(id));
    for (const delayMs of [1, 10, 30, 60, 100]) {
      const store = await openMigrated(newDatabase());

      const call = store.append(records).then(
        () => "written",
        (error: { code: string }) => error.code,
      );
      const question = store.summary(0).catch(() => {});
      await setTimeout(delayMs);
      await server.kill();
      const result = await call;
      await question;
      await server.restart();

      const { predictions } = await store.summary(0);
      const isWhole = predictions === 10_000 || (result === FAILED.code && predictions === 0);
      assert(isWhole, `after ${delayMs} ms: ${result}, and ${predictions} predictions`);
      await store.append(records);
      assert.equal((await store.summary(0)).predictions, 10_000);
      await store.close();
    }
  },
);

serverTest("a server that no longer answers is given up, and used again once it does", async () => {
  const store = await openMigrated(newDatabase());
  const other = await openStore(server.url);
  server.pause();
  try {
    const start = performance.now();
    // One has a connection already, one has yet to make it.
    await Promise.all([
      assert.rejects(store.append([prediction(1)]), { ...FAILED, message: /has not answered for/ }),
      assert.rejects(other.migrate(), { ...FAILED, message: /CONNECT_TIMEOUT/ }),
    ]);
    assert(performance.now() - start < GIVE_UP_MS, `took ${performance.now() - start} ms`);
  } finally {
    server.resume();
  }

  await store.append([prediction(1)]);
  await other.migrate();

  assert.equal((await store.recent(9)).length, 1);
  await store.close();
  await other.close();
});

serverTest("a statement that waits for somebody's lock is ended by the server, too", async () => {
  const url = newDatabase();
  const store = await openMigrated(url);
  const release = await server.hold(url, "LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE");

  await assert.rejects(store.append([prediction(1)]), { ...FAILED, message: /statement timeout/ });

  await release();
  await store.append([prediction(1)]);
  await store.close();
});

test("a proxy with nothing behind it is tried a few times", { skip: postgresSkip }, async () => {
  let connections = 0;
  const proxy = createServer((socket) => {
    connections++;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as { port: number };
  const store = await openStore(`postgres://127.0.0.1:${port}/any`);

  await assert.rejects(store.migrate(), FAILED);

  assert(connections > 0 && connections < 20, `${connections} connections`);
  await store.close();
  proxy.close();
});

serverTest("TLS is the URL's word: required of a server, and its certificate verified when asked", async () => {
  const secure = await startPostgres({ hasTls: true });
  const open = (from: PostgresServer, mode: string) => openStore(`${from.url}?sslmode=${mode}`);
  try {
    const required = await open(secure, "require");
    await required.migrate();
    const verified = await open(secure, "verify-full");
    await assert.rejects(verified.migrate(), { ...FAILED, message: /self-signed certificate/ });
    const plain = await open(server, "require");
    await assert.rejects(plain.migrate(), FAILED);
    for (const store of [required, verified, plain]) await store.close();
  } finally {
    await secure.remove();
  }
});
