"""What people write with the Python client, against the cluster of KUBECONFIG. Fails with what was unexpected; prints `well` at the end."""
import select
import subprocess
import sys
import time

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.stream import portforward, stream

NAMESPACE, POD = 'default', 'web'


def expect(found, wanted):
    assert found == wanted, f'{found!r} is not {wanted!r}'


def objects(v1):
    metadata = client.V1ObjectMeta(name='python')
    v1.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=metadata, data={'a': '1'}))
    expect(v1.patch_namespaced_config_map('python', NAMESPACE, {'data': {'b': '2'}}).data, {'a': '1', 'b': '2'})
    try:
        v1.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=metadata))
        raise AssertionError('made twice')
    except ApiException as error:
        expect((error.status, error.reason), (409, 'Conflict'))
    types = []
    mine = {'field_selector': 'metadata.name=python', 'timeout_seconds': 20}
    watching = watch.Watch()
    for event in watching.stream(v1.list_namespaced_config_map, NAMESPACE, **mine):
        types.append(event['type'])
        if event['type'] == 'ADDED':
            v1.patch_namespaced_config_map('python', NAMESPACE, {'data': {'b': None}})
        if event['type'] == 'MODIFIED':
            expect(event['object'].data, {'a': '1'})
            v1.delete_namespaced_config_map('python', NAMESPACE)
        if event['type'] == 'DELETED':
            watching.stop()
    expect(types, ['ADDED', 'MODIFIED', 'DELETED'])


def dynamic_client():
    pods = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version='v1', kind='Pod')
    expect(pods.get(namespace=NAMESPACE, name=POD).status.phase, 'Running')


def streams(v1):
    def run(command, **more):
        asked = {'stdin': False, 'stdout': True, 'stderr': True, 'tty': False, '_preload_content': False, **more}
        return stream(v1.connect_get_namespaced_pod_exec, POD, NAMESPACE, container='web', command=command, **asked)

    said = run(['sh', '-c', 'read line; echo got $line; echo oops >&2; exit 3'], stdin=True)
    said.write_stdin('hello\n')
    said.run_forever(timeout=10)
    expect((said.read_stdout(), said.read_stderr(), said.returncode), ('got hello\n', 'oops\n', 3))
    expect(v1.read_namespaced_pod_log(POD, NAMESPACE, container='web', tail_lines=1).strip(), 'started')
    forward = portforward(v1.connect_get_namespaced_pod_portforward, POD, NAMESPACE, ports='8080')
    sock = forward.socket(8080)
    sock.setblocking(True)
    sock.sendall(b'GET / HTTP/1.0\r\n\r\n')
    answer = b''
    while chunk := sock.recv(4096):
        answer += chunk
    assert answer.endswith(b'\r\n\r\nweb\n'), answer
    expect(v1.connect_get_namespaced_pod_proxy_with_path('web:8080', NAMESPACE, 'index.html'), 'web\n')


def candidate(name):
    """Stands for election, says when it leads, and leads until it is killed."""

    def lead():
        print('leads', flush=True)
        time.sleep(60)

    times = {'lease_duration': 2, 'renew_deadline': 1.5, 'retry_period': 1}
    lock = ConfigMapLock('election', NAMESPACE, name)
    wanted = electionconfig.Config(lock, **times, onstarted_leading=lead, onstopped_leading=lambda: None)
    leaderelection.LeaderElection(wanted).run()


def leader_election():
    """One leads at a time; when it is killed, the other does within the time of a lease."""
    start = [sys.executable, __file__, 'candidate']
    first, second = None, None
    try:
        first = subprocess.Popen([*start, 'first'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        expect(first.stdout.readline(), 'leads\n')
        second = subprocess.Popen([*start, 'second'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        expect(select.select([second.stdout], [], [], 2.5)[0], [])
        first.kill()
        expect(second.stdout.readline(), 'leads\n')
    finally:
        for process in (first, second):
            if process:
                process.kill()
                process.wait()


config.load_kube_config()
if sys.argv[1:2] == ['candidate']:
    candidate(sys.argv[2])
    sys.exit()
core = client.CoreV1Api()
expect(client.VersionApi().get_code().major, '1')
objects(core)
dynamic_client()
streams(core)
leader_election()
print('well')
