// test: link=static,dynamic flags=-pthread long=64
// C++: exceptions through frames, destructors, rethrow, from threads, virtual calls, containers, static initialisers.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int alive;
struct Guard {
    Guard() { alive++; }
    ~Guard() { alive--; }
};
struct Base {
    virtual ~Base() {}
    virtual int f(int x) { return x; }
};
struct Left : virtual Base {
    int f(int x) override { return x * 2; }
};
struct Right : virtual Base {
    int g = 5;
};
struct Both : Left, Right {
    int f(int x) override { return Left::f(x) + g; }
};
static std::string *made_early = new std::string("static");

__attribute__((noinline)) static int thrower(int n) {
    Guard g;
    if (n == 0) throw std::runtime_error("bottom");
    if (n == 5) {
        try {
            return thrower(n - 1) + 1;
        } catch (const std::logic_error &) {
            return -1;
        }
    }
    return thrower(n - 1) + 1;
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    int caught = 0;
    for (int i = 0; i < 500; i++) {
        try {
            thrower(i % 20);
        } catch (const std::exception &e) {
            caught += std::string(e.what()) == "bottom";
        }
    }
    printf("caught %d alive %d\n", caught, alive);
    try {
        try {
            throw 42;
        } catch (int x) {
            throw std::to_string(x);
        }
    } catch (std::string &s) {
        printf("rethrown %s\n", s.c_str());
    }
    std::atomic<int> in_threads{0};
    std::vector<std::thread> ts;
    for (int i = 0; i < 8; i++)
        ts.emplace_back([&, i] {
            for (int k = 0; k < 50; k++) try {
                    thrower(i);
                } catch (...) {
                    in_threads++;
                }
        });
    for (auto &t : ts) t.join();
    printf("threads %d\n", in_threads.load());
    auto f = std::async(std::launch::async, []() -> int { throw std::out_of_range("async"); });
    try {
        f.get();
    } catch (std::out_of_range &e) {
        printf("%s\n", e.what());
    }
    std::unique_ptr<Base> b(new Both);
    printf("virtual %d %d %d\n", b->f(10), dynamic_cast<Right *>(b.get()) != nullptr, dynamic_cast<Both *>(b.get())->g);
    try {
        dynamic_cast<Both &>(*std::unique_ptr<Base>(new Left));
    } catch (std::bad_cast &) {
        printf("bad_cast\n");
    }
    std::map<std::string, int> m;
    for (int i = 0; i < 1000; i++) m[std::to_string(i * 7919 % 1000)] += i;
    std::ostringstream o;
    for (auto it = m.begin(); it != m.end(); std::advance(it, 100)) o << it->first << '=' << it->second << ' ';
    printf("%s\n", o.str().c_str());
    std::vector<double> v(1000);
    for (int i = 0; i < 1000; i++) v[i] = (i * 37 % 1000) / 8.0;
    std::sort(v.begin(), v.end(), std::greater<>());
    std::function<double(int)> pick = [&](int i) { return v[i]; };
    printf("%g %g %s\n", pick(0), pick(999), made_early->c_str());
    try {
        v.at(5000);
    } catch (std::out_of_range &) {
        printf("range\n");
    }
    try {
        std::string huge(static_cast<size_t>(-1) / 4, 'x');
    } catch (std::exception &) {
        printf("alloc\n");
    }
    printf("except: ok\n");
}
