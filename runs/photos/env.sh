export FER_DATA=../shared/data PYTHONPATH=.:runs/photos/src OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
run() { taskset -c 0 nice -n 10 .venv/bin/python "$@"; }
W=./fer_paddle/weights
