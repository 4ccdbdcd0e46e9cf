# docker build -t recsys . && docker run --rm -p 127.0.0.1:8888:8888 recsys
# The versions are those of environment.yml, which takes them from requirements.lock.
FROM mambaorg/micromamba:2
USER root
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
USER $MAMBA_USER
WORKDIR /home/mambauser/recsys
COPY --chown=$MAMBA_USER:$MAMBA_USER . .
RUN micromamba create -y -n recsys -c conda-forge python=3.11 pip \
    && micromamba run -n recsys python .ci/install_torch.py \
    && micromamba run -n recsys pip install --no-cache-dir -r requirements.lock \
    && micromamba run -n recsys pip install --no-cache-dir --no-deps -e . \
    && micromamba clean -ay
EXPOSE 8888
# JupyterLab prints the address with its token; outside the container it is reachable from this machine only
CMD ["micromamba", "run", "-n", "recsys", "jupyter", "lab", "--ip=0.0.0.0", "--no-browser", "notebooks"]
