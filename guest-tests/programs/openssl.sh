# openssl: digests, ciphers, keys, certificates, and a TLS session on loopback.
# test: timeout=120
set -eu
seq 1 20000 > data
for h in md5 sha1 sha256 sha384 sha512 sha3-256 blake2b512 sm3; do openssl dgst -$h -r data | cut -c1-40; done
for c in aes-128-cbc aes-256-ctr aes-256-ofb chacha20 camellia-128-cbc sm4-cbc des-ede3-cbc; do
    openssl enc -$c -K 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f -iv 000102030405060708090a0b0c0d0e0f -in data -out enc 2>/dev/null || openssl enc -$c -K 000102030405060708090a0b0c0d0e0f -iv 000102030405060708090a0b0c0d0e0f -in data -out enc
    md5sum < enc
done 2>/dev/null
openssl enc -aes-256-cbc -pbkdf2 -k secret -in data -out e1 && openssl enc -d -aes-256-cbc -pbkdf2 -k secret -in e1 | cmp - data && echo password
openssl dgst -sha256 -mac hmac -macopt hexkey:0102 -r data; openssl rand 100 | wc -c
openssl genrsa -out rsa.pem 2048 2>/dev/null; openssl rsa -in rsa.pem -check -noout 2>/dev/null
openssl ecparam -genkey -name prime256v1 -noout -out ec.pem; openssl genpkey -algorithm ed25519 -out ed.pem; openssl genpkey -algorithm x25519 -out x.pem
for k in rsa ec; do openssl dgst -sha256 -sign $k.pem -out sig data; openssl pkey -in $k.pem -pubout -out pub.pem; openssl dgst -sha256 -verify pub.pem -signature sig data; done
openssl pkey -in ed.pem -pubout -out pub.pem; openssl pkeyutl -sign -inkey ed.pem -rawin -in data -out sig; openssl pkeyutl -verify -pubin -inkey pub.pem -rawin -in data -sigfile sig
openssl req -x509 -key rsa.pem -subj /CN=localhost -days 100 -out cert.pem; openssl x509 -in cert.pem -noout -subject -nameopt RFC2253; openssl verify -CAfile cert.pem cert.pem
openssl prime -checks 20 1000000007; openssl prime -hex 10000000000000000000000000000000000000000000000000000000000000129 | sed 's/.* is/is/'
printf 'hello' | openssl base64; openssl asn1parse -in cert.pem | wc -l | awk '{ print ($1 > 20) }'
port=$(( 20000 + $$ % 20000 ))
openssl s_server -accept 127.0.0.1:$port -cert cert.pem -key rsa.pem -rev -quiet > server.log 2>&1 & server=$!
for i in $(seq 1 100); do (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null && break; sleep 0.1; done
for tls in tls1_2 tls1_3; do
    coproc client { exec openssl s_client -connect 127.0.0.1:$port -$tls -CAfile cert.pem -quiet -verify_return_error 2>/dev/null; }
    echo hello tls >&"${client[1]}"; read -r -t 60 line <&"${client[0]}"; echo "$line"
    kill "$client_PID"; wait "$client_PID" 2>/dev/null || true
done
kill $server; wait $server 2>/dev/null || true; echo done
